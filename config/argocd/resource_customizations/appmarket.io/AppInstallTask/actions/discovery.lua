-- A task can be canceled until it has ended, and held back until it is admitted.
local status = obj.status or {}
local over = obj.metadata.deletionTimestamp ~= nil or status.completionTime ~= nil or obj.spec.cancel == true
local suspended = obj.spec.suspend == true

return {
  cancel = { disabled = over },
  suspend = { disabled = over or suspended or status.startTime ~= nil },
  resume = { disabled = over or not suspended },
}
