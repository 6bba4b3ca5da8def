"""A Streamlit page over the database: the corpus, its quality, single dialogues and trained cores.

`command` starts it, `app` is the script that Streamlit runs, and each file in `tabs` is one tab. All figures come from
SQL queries; no table is loaded into memory as a whole.
"""
