// Package admission decides whether an operation may begin. What stands in its way is
// collected as findings and reported all at once. The checks are used by both
// controllers: a task is checked before it writes its instance, and an instance that no
// task has written before it installs or upgrades.
package admission
