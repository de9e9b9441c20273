"""The Textual application: screens, picture and panels."""
