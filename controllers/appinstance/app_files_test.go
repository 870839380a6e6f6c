package appinstance_test

// Templates of the apps.
const (
	configMapTemplate = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-page}
data: {color: {{ .Values.color | quote }}, theme: {{ (.Values.olaresEnv).THEME | quote }}}
`
	deploymentTemplate = `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: "images.example.com/web:{{ .Chart.Version }}"}]}
`
	claimTemplate = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Release.Name }}-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`
	manifestWithInputs = `olaresManifest.version: 0.12.0
metadata: {name: web, version: 1.0.0}
entrances: [{name: front, title: Front, host: web, port: 80}]
envs:
  - {envName: PASSWORD, type: password, required: true}
  - {envName: THEME, type: string, required: true, options: [{title: Light, value: light}, {title: Dark, value: dark}]}
`
)

// configMapFiles returns the files of an app that is ready immediately.
func configMapFiles() map[string]string {
	return map[string]string{"templates/page.yaml": configMapTemplate, "values.yaml": "color: gray\n"}
}

// workloadFiles returns the files of an app with a workload.
func workloadFiles() map[string]string {
	return map[string]string{"templates/web.yaml": deploymentTemplate}
}
