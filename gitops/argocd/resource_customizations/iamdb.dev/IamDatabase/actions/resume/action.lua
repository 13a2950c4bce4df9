-- Has the operator keep the object again.
obj.spec.suspend = false
return obj
