-- Health of an IamDatabase or IamDatabaseUser as Argo CD shows it. The same file for both kinds.

-- Not Ready on purpose: neither healthy nor in need of anybody.
local meant = { Planned = true, Suspended = true, Expired = true }

local function answer(status, message)
  return { status = status, message = message }
end

local status = obj.status or {}
if status.conditions == nil then
  return answer("Progressing", "The operator has not reported yet.")
end
if status.observedGeneration ~= obj.metadata.generation then
  return answer("Progressing", "The operator has not seen the last change yet.")
end

local by = {}
for _, condition in ipairs(status.conditions) do
  by[condition.type] = condition
end

local stalled = by["Stalled"]
if stalled ~= nil and stalled.status == "True" then
  return answer("Degraded", stalled.reason .. ": " .. stalled.message)
end
local reconciling = by["Reconciling"]
if reconciling ~= nil and reconciling.status == "True" then
  return answer("Progressing", reconciling.reason .. ": " .. reconciling.message)
end

local ready = by["Ready"]
if ready == nil then
  return answer("Progressing", "The operator has not reported yet.")
end
local message = ready.reason .. ": " .. ready.message
if meant[ready.reason] then
  return answer("Suspended", message)
end
if ready.status == "True" then
  return answer("Healthy", message)
end
if ready.status == "False" then
  return answer("Degraded", message)
end
return answer("Progressing", message)
