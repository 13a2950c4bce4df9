# Runs Lua 5.1 as Argo CD does: the object is the global `obj`, the answer what the script returns. JSON lines in, JSON lines out.
import json
import sys

from lupa.lua51 import LuaRuntime, lua_type


def to_lua(lua, value):
    if isinstance(value, dict):
        return lua.table_from({name: to_lua(lua, one) for name, one in value.items()})
    if isinstance(value, list):
        return lua.table_from([to_lua(lua, one) for one in value])
    return value


def to_python(value):
    if lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and keys == list(range(1, len(keys) + 1)):
        return [to_python(value[key]) for key in keys]
    return {str(key): to_python(value[key]) for key in keys}


for line in sys.stdin:
    asked = json.loads(line)
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = to_lua(lua, asked["object"])
    print(json.dumps(to_python(lua.execute(asked["script"]))), flush=True)
