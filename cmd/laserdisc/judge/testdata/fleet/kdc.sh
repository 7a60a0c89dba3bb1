#: package krb5-kdc
#: serves 198.18.9.8:88 kerberos
#: serves 198.18.9.8:443 kerberos
cat > kdc.conf <<CONF
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 198.18.9.8:88,198.18.9.8:443
[realms]
  FLEET.TEST = {
    database_name = $PWD/principal
    key_stash_file = $PWD/stash
    acl_file = $PWD/acl
  }
CONF
printf '[libdefaults]\n  default_realm = FLEET.TEST\n' > krb5.conf
export KRB5_CONFIG="$PWD/krb5.conf" KRB5_KDC_PROFILE="$PWD/kdc.conf"
kdb5_util create -s -P fleet >/dev/null
exec krb5kdc -n
