-- An instance that is to be absent is started by whoever writes its spec, not by a
-- click.
local removed = obj.metadata.deletionTimestamp ~= nil
local state = obj.spec.desiredState or "Running"

return {
  reconcile = { disabled = removed or state == "Uninstalled" },
  stop = { disabled = removed or state ~= "Running" },
  start = { disabled = removed or state ~= "Stopped" },
}
