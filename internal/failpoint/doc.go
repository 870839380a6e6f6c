// Package failpoint lets a test kill the operator at a named moment. The stories of
// being killed need it: a kill that comes whenever it comes seldom meets the
// moment between two writes, which is where state gets lost.
//
// Code says Point where such a moment is. In a normal build that is nothing at
// all. In a build with the tag faults, the environment arms one point:
//
//	APPMARKET_FAULT=helm-record-pending@shop/blog   a point, and whose; * is anybody's
//	APPMARKET_FAULT_ONCE=/tmp/fault                 a file that is made by the kill
//
// The process that passes the armed point kills itself, as kill -9 would: nothing
// is closed, flushed or settled. Where the file is there already, nothing happens,
// so that the same process started again with the same environment lives on.
package failpoint
