"""A Streamlit page over the database: what is in the corpus, what was left out, what a core makes of it.

`command` starts it, `app` is the script that Streamlit runs, one file of `tabs` is one tab. Figures come from SQL over
the database; no table is ever held in memory as a whole.
"""
