// Package live tells open pages what has changed.
//
// A page names topics, such as the instances of a namespace, in a stream of server-sent events. A
// change of an object marks its topics for each stream, and the stream sends the marked topics
// after a short time. The page then fetches its part again, with the rights of the user, so a
// signal contains no data and a lost one costs nothing. A stream holds a set of marked topics and
// never a queue: a page that does not read cannot delay others or use memory.
package live
