// Package admission decides whether an operation may start.
//
// Each check is a function over an Operation, in a file of its own. It adds what it finds to the
// Findings, which are reported together. Both controllers use the package: the task controller
// checks a task before it writes its instance, and the instance controller checks an operation
// that was not requested by a task before it runs Helm.
//
// A finding is either final, or waits for an object to change, or is an unmet requirement: whether
// the operation waits for it depends on who requests it. An instance always waits, because the
// person or the GitOps tool that applied it does not apply it again. A task fails unless its spec
// specifies otherwise, because its creator waits for the result.
package admission
