package appinstalltask_test

// manifestWithInputs is the manifest of an app with two required inputs.
const manifestWithInputs = `olaresManifest.version: 0.12.0
metadata: {name: web, version: 1.0.0}
envs:
  - {envName: PASSWORD, type: password, required: true}
  - {envName: THEME, type: string, required: true, options: [{title: Light, value: light}, {title: Dark, value: dark}]}
`

// filesWithoutInputs returns the files of an app without inputs.
func filesWithoutInputs() map[string]string {
	return map[string]string{"templates/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\n"}
}

// filesWithInputs returns the files of an app with inputs.
func filesWithInputs() map[string]string {
	content := filesWithoutInputs()
	content["OlaresManifest.yaml"] = manifestWithInputs
	return content
}
