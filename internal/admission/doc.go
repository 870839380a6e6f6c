// Package admission decides whether an operation may start. The checks collect findings,
// which are reported together. Both controllers use the package: the task controller checks
// a task before it writes its instance, and the instance controller checks an install or
// upgrade that was not requested by a task.
package admission
