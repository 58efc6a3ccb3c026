"""The screens, one file each; an app shows one at a time between its header and its key bar."""
