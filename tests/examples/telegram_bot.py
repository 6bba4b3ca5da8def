"""A Telegram bot on an assistant: TELEGRAM_TOKEN=... python telegram_bot.py ASSISTANT"""

import os
import sys
import time

import httpx2

from cube_model import DialogueAssistant

assistant = DialogueAssistant.from_pretrained(sys.argv[1], unanswered="unanswered.jsonl")
api = f"{os.environ.get('TELEGRAM_API', 'https://api.telegram.org')}/bot{os.environ['TELEGRAM_TOKEN']}"
telegram, offset = httpx2.Client(timeout=60), 0
while True:
    try:
        updates = telegram.post(f"{api}/getUpdates", json={"offset": offset, "timeout": 50}).raise_for_status().json()
        for update in updates["result"]:
            message, offset = update.get("message", {}), update["update_id"] + 1
            if not message.get("text", "").strip():  # a picture, say
                continue
            reply = assistant.reply(message["text"])
            topics = ", ".join(topic.name for topic in reply.topics)
            text = reply.answers[0].text if reply.is_known else f"I do not know. I can help with: {topics}"
            sent = {"chat_id": message["chat"]["id"], "text": text[:4096]}
            telegram.post(f"{api}/sendMessage", json=sent).raise_for_status()
    except httpx2.HTTPError as error:  # its text has the address, and so the token
        print(type(error).__name__, file=sys.stderr)
        time.sleep(5)
