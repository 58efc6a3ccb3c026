"""Whether what a user leaves running outlives their logout (logind.conf(5), loginctl(1))."""

import os
import pwd
import subprocess
from pathlib import Path

LINGERING = Path("/var/lib/systemd/linger")  # a file for each user

KILLS_AT_LOGOUT = (
    "the login manager kills what a user leaves behind (KillUserProcesses=yes): run `loginctl enable-linger` once and "
    "let systemd run the search (`nasd service install RUN`)"
)


def kills_at_logout() -> bool:
    """Whether the login manager kills what this user leaves behind (`KillUserProcesses=yes`)."""
    try:
        done = subprocess.run(
            ["systemd-analyze", "cat-config", "systemd/logind.conf"],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    settings = {"KillUserProcesses": "no", "KillOnlyUsers": "", "KillExcludeUsers": "root"}
    for line in done.stdout.splitlines():  # the files in the order in which they are read: the last one counts
        name, is_setting, value = line.partition("=")
        if is_setting and name.strip() in settings:
            settings[name.strip()] = value.strip()
    user, only = user_name(), settings["KillOnlyUsers"].split()
    meant = user in only if only else user not in settings["KillExcludeUsers"].split()
    return settings["KillUserProcesses"].lower() in ("yes", "true", "on", "1") and meant


def lingers() -> bool:
    """Whether this user's services run while they are not logged in."""
    return (LINGERING / user_name()).exists()


def user_name() -> str:
    """This user's name; the number of one who is in no list of users."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
