#: package slapd
#: serves 198.18.7.1:389 ldap
#: serves 198.18.7.1:443 ldap
printf 'include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_null\ndatabase null\nsuffix "dc=fleet"\npidfile %s/pid\n' "$PWD" > conf
exec slapd -d 0 -f conf -h 'ldap://198.18.7.1:389/ ldap://198.18.7.1:443/'
