// Package failpoint lets a test kill the operator at a named point. State is most often lost
// between two writes, and a kill at a random time rarely hits that moment.
//
// Code calls Point at such a moment. In a normal build, Point does nothing. In a build with
// the tag faults, environment variables arm one point:
//
//	APPMARKET_FAULT=helm-record-pending@shop/blog   the point and its subject, * for any
//	APPMARKET_FAULT_ONCE=/tmp/fault                 a file that the kill creates
//
// A process that reaches the armed point kills itself, as kill -9 does: nothing is closed,
// flushed or unlocked. If the file exists already, nothing happens, so that a process that
// is restarted with the same environment continues.
package failpoint
