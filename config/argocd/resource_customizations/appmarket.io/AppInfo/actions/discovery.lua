-- Nothing is reconciled while the object is suspended, and nothing is to be done
-- about one that is being removed.
local removed = obj.metadata.deletionTimestamp ~= nil
local suspended = obj.spec.suspend == true

return {
  reconcile = { disabled = removed or suspended },
  suspend = { disabled = removed or suspended },
  resume = { disabled = removed or not suspended },
}
