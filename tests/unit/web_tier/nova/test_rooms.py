"""What brings the web tier up on OpenStack is not carried by the web tier."""

import subprocess
import sys


def test_neither_the_web_tier_nor_what_runs_on_its_vm_needs_openstacksdk() -> None:
    program = """
import sys
for name in ("openstack", "keystoneauth1"):
    sys.modules[name] = None  # importing it now raises ImportError
import web_tier.app, web_tier.listener, web_tier.nova.machine, web_tier.nova.credentials
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
