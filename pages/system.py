"""This machine: devices, what is installed, what is missing and how to get it."""

import pandas as pd
import streamlit as st

from engine import __version__
from engine.unsupported import UNSUPPORTED
from pages import ui
from pages.ui import badges, machine, plugins
from pages.ui.context import settings

ui.begin()
st.title("System")
found = machine.find_out()
if found is None or found is machine.UNKNOWN:
    st.stop()
if st.button("Look again", icon=":material/refresh:", key="look_again"):
    machine.forget()
    st.rerun()

st.header("Devices")
for device in found["devices"]:
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"**{badges.plain(machine.device_name(device))}**")
        st.caption(badges.plain(machine.facts_text(device)))
if found.get("no_gpu_reason"):
    st.info(
        f"No NVIDIA GPU: {badges.plain(found['no_gpu_reason'])} The start page has recorded results.",
        icon=":material/info:",
    )

for kind in ("runtimes", "steps", "formats"):
    st.header(kind.capitalize())
    plugins.table(kind, found[kind])

st.header("Paths that are not here")
listed = [{"Path": each.title, "Why": each.reason, "Instead": each.instead} for each in UNSUPPORTED]
st.table(pd.DataFrame(listed), hide_index=True, border="horizontal")

if found.get("broken_plugins"):
    st.header("Plugins that could not be loaded")
    for name, error in found["broken_plugins"].items():
        st.error(f"{badges.plain(name)}: {badges.plain(error)}", icon=":material/extension_off:")

left, right = st.columns(2, gap="large")
with left:
    st.header("Libraries")
    libraries = [
        {"Library": name, "Version": version or "not installed"} for name, version in found["libraries"].items()
    ]
    st.dataframe(pd.DataFrame(libraries), hide_index=True, height="content")
with right:
    st.header("Settings")
    known = settings()
    shown = {
        "Optibench": __version__,
        "Python": found.get("python", ""),
        "Platform": found.get("platform", ""),
        "Home folder": str(known.home),
        "Sandbox mode": known.sandbox,
        "Upload limit": f"{known.upload_limit_mb} MB",
        **{
            name.replace("_", " ").capitalize(): plugins.tool(each) for name, each in (found.get("tools") or {}).items()
        },
    }
    st.table(pd.DataFrame(shown.items(), columns=["Setting", "Value"]), hide_index=True, border="horizontal")
