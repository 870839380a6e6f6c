-- The operator answers in status.lastHandledReconcileAt.
local os = require("os")

obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["appmarket.io/reconcile-requested-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
