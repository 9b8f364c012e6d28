"""Files and folders that operating systems and programs leave beside pictures and videos."""

from pathlib import Path

# By lower-case name: thumbnails, settings of folders, and what unpacking, servers and bins leave.
NAMES = {
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "@tmp",
    "@__thumb",
    "@recently-snapshot",
    "network trash folder",
    "temporary items",
    "@recycle",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
}
# Notes, lists, measurements and sounds that people and programs write beside videos.
SIDECAR_SUFFIXES = {
    *(".bak", ".csv", ".db", ".docx", ".html", ".ini", ".json", ".jsonl", ".lnk", ".log", ".mat"),
    *(".md", ".md5", ".npy", ".npz", ".pdf", ".pickle", ".pkl", ".py", ".sh", ".sha1", ".sha256"),
    *(".srt", ".tsv", ".txt", ".url", ".vtt", ".webloc", ".xls", ".xlsx", ".xml", ".yaml", ".yml"),
    *(".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"),
}


def is_litter(path: Path) -> bool:
    """Return whether a system or a program has left a file or folder behind, by its name."""
    name = path.name.lower()
    # Streams of Windows and attributes of macOS, copied to Linux: "a.png:Zone.Identifier",
    # "a.png:AFP_AfpInfo", "Thumbs.db:encryptable".
    name, _, stream = name.partition(":")
    is_copied_stream = stream.startswith(("zone.identifier", "com.", "afp_", "smartscreen"))
    is_hidden = name.startswith((".", "~$"))
    return is_hidden or name in NAMES or is_copied_stream or path.suffix.endswith("~")


def is_sidecar(path: Path) -> bool:
    """Return whether a file is a note, a list, a sound or the like, by its suffix."""
    return path.suffix.lower() in SIDECAR_SUFFIXES or path.name.upper() in ("README", "LICENSE")
