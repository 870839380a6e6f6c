-- The operator replaces the Pods when the time changes.
local os = require("os")

obj.spec.restartRequestedAt = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
