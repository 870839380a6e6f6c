// Package signature verifies the signatures of charts: provenance files of Helm, and signatures of cosign and
// notation.
//
// A Verifier decides whether one of the signatures that a source delivered satisfies a policy. It runs in a
// worker, because it parses the signatures, the manifest of the chart and the trust root, which are all
// untrusted. It needs neither the network nor files: transparency logs are verified by the proofs in the
// signatures, and revocation lists are not requested.
//
// A signature counts only if it signs the chart that is published: the digest of the fetched archive must be
// in the provenance file, or in the signed manifest. Errors quote nothing from a signature but the name of a
// signer that the trust root has authenticated.
package signature
