-- Asks the operator to look now.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["iamdb.dev/reconcile-requested-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
