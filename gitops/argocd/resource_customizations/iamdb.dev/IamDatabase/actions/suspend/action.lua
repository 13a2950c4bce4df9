-- Has the operator leave the object alone.
obj.spec.suspend = true
return obj
