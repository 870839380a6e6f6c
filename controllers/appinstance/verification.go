package appinstance

// recordVerification records the verified signature of the installed chart with this digest. It is not
// known for a chart that the app does not serve any more.
func (s *scope) recordVerification(digest string) {
	st := &s.instance.Status
	if s.app != nil {
		for _, version := range s.app.Info.Status.Versions {
			if version.Digest == digest {
				st.Verification = version.Verification.DeepCopy()
				return
			}
		}
	}
	if st.ChartDigest != digest {
		st.Verification = nil
	}
}
