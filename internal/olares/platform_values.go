package olares

// Default values for charts for Olares. The names and defaults are from the Olares
// documentation of runtime values and system variables. The host names are in a zone that
// RFC 6761 reserves for examples, so that they cannot be reached by mistake.
const (
	userName       = "admin"
	userZone       = userName + ".example.com"
	middlewareZone = "middleware.example.com"
	// placeholder is the value of secrets. It is public and does not protect anything.
	placeholder = "replaced-at-install"

	// systemVersion satisfies the version ranges of the charts in the catalog: the highest
	// version that one of 181 ranges requires is 1.12.6.
	systemVersion = "1.12.6"
	// rootPath, fsType and contentURL are the defaults of OLARES_SYSTEM_ROOT_PATH,
	// OLARES_SYSTEM_ROOTFS_TYPE and OLARES_SYSTEM_CDN_SERVICE.
	rootPath   = "/olares"
	fsType     = "fs"
	contentURL = "https://cdn.olares.com"

	userPath = rootPath + "/userdata/" + userName
	// noGPU is not empty, because charts interpret an empty type as nvidia.
	noGPU = "none"
)

// middlewareKinds contains the middlewares that charts read without checking whether they
// exist.
var middlewareKinds = []middlewareKind{
	{name: "postgres", port: 5432, maps: []string{"databases"}},
	{name: "mysql", port: 3306, maps: []string{"databases"}},
	{name: "mariadb", port: 3306, maps: []string{"databases"}},
	{name: "mongodb", port: 27017, maps: []string{"databases"}},
	{name: "clickhouse", port: 9000, maps: []string{"databases"}},
	{name: "redis", port: 6379, maps: []string{"namespaces"}},
	{name: "minio", port: 9000, maps: []string{"buckets"}},
	{name: "rabbitmq", port: 5672, maps: []string{"vhosts"}},
	{name: "elasticsearch", port: 9200, maps: []string{"indexes"}},
	{name: "nats", port: 4222, maps: []string{"subjects", "refs"}},
}

// platformValues returns the values that do not depend on the app, except for the folder of
// its own data.
func platformValues(folder string) map[string]any {
	return map[string]any{
		"bfl":     map[string]any{"username": userName},
		"admin":   userName,
		"isAdmin": true,
		"user":    map[string]any{"zone": userZone},
		"userspace": map[string]any{
			"appData":      userPath + "/Data/" + folder,
			"appCache":     userPath + "/Cache/" + folder,
			"userData":     userPath + "/Home",
			"appCommon":    rootPath + "/Common",
			"externalData": rootPath + "/External",
			"sharedLib":    rootPath + "/share",
		},
		"sharedlib":      rootPath + "/share",
		"rootPath":       rootPath,
		"fs_type":        fsType,
		"sysVersion":     systemVersion,
		"downloadCdnURL": contentURL,
		"deviceName":     "",
		"gpu":            noGPU,
		"GPU":            map[string]any{"Type": noGPU, "Cuda": ""},
		"nodes":          []any{},
		"cluster":        map[string]any{"arch": "amd64"},
		"schedule":       map[string]any{"nodeName": ""},
		"oidc": map[string]any{
			"client": map[string]any{"id": placeholder, "secret": placeholder},
			"issuer": "https://auth." + userZone,
		},
		"dep":  map[string]any{},
		"deps": map[string]any{},
		"svcs": map[string]any{},
	}
}
