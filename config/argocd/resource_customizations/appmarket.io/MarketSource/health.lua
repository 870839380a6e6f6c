-- What Argo CD shows of an object of AppMarket. The text is the same for all four
-- kinds: they keep one contract of status, and only the name of the root condition
-- differs, Succeeded of what ends and Ready of what lives. It needs no library of
-- Lua. docs/gitops.md has it as a table.

local ends = obj.kind == "AppInstallTask"
local generation = obj.metadata.generation
local spec, status = obj.spec or {}, obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local root = conditions[ends and "Succeeded" or "Ready"]
local reconciling = conditions["Reconciling"]
local stalled = conditions["Stalled"]

-- What only a person brings to an end.
local held = {
  Suspended = true,
  WaitingForInput = true,
  WaitingForApproval = true,
  WaitingForWindow = true,
}

local function is(condition, value)
  return condition ~= nil and condition.status == value
end

local function health(verdict, condition, otherwise)
  local message = otherwise
  if condition ~= nil and condition.message ~= nil and condition.message ~= "" then
    message = condition.message
  end
  return { status = verdict, message = message }
end

local function hasHookFinalizer()
  for _, finalizer in ipairs(obj.metadata.finalizers or {}) do
    if finalizer == "argocd.argoproj.io/hook-finalizer" then
      return true
    end
  end
  return false
end

-- Argo CD keeps a hook that somebody deletes, or whose time is up, until it knows
-- how it ended. One that was still at work will never end.
local finished = ends and status.completionTime ~= nil
if obj.metadata.deletionTimestamp ~= nil and not finished then
  if hasHookFinalizer() then
    return health("Degraded", nil, "deleted before it was done")
  end
  return health("Progressing", nil, "being removed")
end

-- A task waits for a person before its spec counts as dealt with.
local current = is(reconciling, "True") and reconciling.observedGeneration == generation
if current and held[reconciling.reason] then
  return health("Suspended", reconciling, reconciling.reason)
end

if status.observedGeneration ~= generation then
  if current then
    return health("Progressing", reconciling, reconciling.reason)
  end
  return health("Progressing", nil, "the operator has not seen this generation yet")
end

if is(stalled, "True") then
  return health("Degraded", stalled, stalled.reason)
end
if is(reconciling, "True") then
  return health("Progressing", reconciling, reconciling.reason)
end

local suspended = not ends and (spec.suspend == true or root ~= nil and root.reason == "Suspended")
if is(root, "True") then
  if suspended then
    return health("Healthy", nil, "suspended; " .. (root.message or root.reason))
  end
  return health("Healthy", root, root.reason)
end
if suspended then
  return health("Suspended", root, "suspended")
end
if is(root, "False") then
  return health("Degraded", root, root.reason)
end
return health("Progressing", root, "nothing is known yet")
