-- Removed rather than set to false, so that the object equals the one in git.
obj.spec.suspend = nil
return obj
