"""Style sheet of the page: what Streamlit has no option for."""

from __future__ import annotations

STYLE = """<style>
.stMainBlockContainer {padding-top: 4.2rem}
@media (min-width: 900px) {.stMainBlockContainer {padding-left: 2.5rem; padding-right: 2.5rem}}
[class*="st-key-figures"] {display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .7rem}
.stMetric [data-testid="stMetricValue"] {font-size: 1.6rem}
.stMetric label p {font-size: .85rem; white-space: normal; line-height: 1.2}
.stMetric label p {overflow-wrap: normal; word-break: normal}

/* "Press Enter to apply", always in English and over what is typed */
[data-testid="InputInstructions"] {display: none}

/* the toolbar of a table saves only the rows that are shown; the button CSV saves all, so it leaves the toolbar room */
[data-testid="stElementToolbarButton"]:has(button[aria-label^="Download as CSV"]) {display: none}
[class*="st-key-heading-toolbar"] {padding-right: 7.5rem}

/* all tabs are in view on a phone, too: they wrap, and the open one has its own line below it */
@media (max-width: 640px) {
  .stMainBlockContainer {padding-top: 3.4rem}
  [data-testid="stTabs"] [role="tablist"] {flex-wrap: wrap; row-gap: 0; overflow: visible}
  [data-testid="stTabs"] [role="tab"] {padding-top: .45rem; padding-bottom: .45rem}
  [data-testid="stTabs"] [aria-selected="true"] {box-shadow: inset 0 -2px 0 var(--st-primary-color, #0072B2)}
  [data-testid="stButtonGroup"] [role="radiogroup"] {flex-wrap: wrap; row-gap: .3rem; overflow: visible}
  [data-baseweb="tab-highlight"], [data-baseweb="tab-border"] {display: none}
}
</style>"""
"""The style sheet, as HTML."""
