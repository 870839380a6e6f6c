// Package helmtest provides an API server, tenants, charts and clients for the tests of internal/helm.
//
// The first test that needs the API server starts it, and Run stops it at the end:
//
//	func TestMain(m *testing.M) { os.Exit(helmtest.Run(m)) }
package helmtest
