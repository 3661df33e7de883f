# The first argument is the MTU of the interface towards the world, at every boot; without one there is nothing to set.
device=$(ip -oneline route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
[ -z "$device" ] || ip link set dev "$device" mtu "$1"
