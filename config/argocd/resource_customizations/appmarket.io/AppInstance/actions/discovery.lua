-- No action starts an instance whose desired state is Uninstalled. No operation starts while the
-- instance is suspended.
local removed = obj.metadata.deletionTimestamp ~= nil
local suspended = obj.spec.suspend == true
local state = obj.spec.desiredState or "Running"

return {
  reconcile = { disabled = removed or suspended or state == "Uninstalled" },
  stop = { disabled = removed or state ~= "Running" },
  start = { disabled = removed or state ~= "Stopped" },
  restart = { disabled = removed or suspended or state ~= "Running" },
  suspend = { disabled = removed or suspended },
  resume = { disabled = removed or not suspended },
}
