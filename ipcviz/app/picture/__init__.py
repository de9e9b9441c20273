"""The picture: processes, what connects them, how full that is, and who is blocked on what.

One way through, each step pure: `graph.build` (state to scene), `layout.arrange` (scene to cells),
`draw.paint` (cells to styled rows); `widget.Picture` shows the rows.
"""

from ipcviz.app.picture.widget import Picture

__all__ = ["Picture"]
