// Package storage stores the records of Helm releases in Secrets.
//
// Driver is the storage driver of Helm for one operation. A record that is larger than a Secret is split
// into chunks, so that it is either complete or does not exist. The Secrets of a release are read once for
// each operation. Tenants can write Secrets, so the size of a record is checked before it is decoded, and a
// record whose digest is unknown is rejected.
package storage
