# Files that version 0.1.0 wrote: how `0.1.0.tar.xz` was made, in a checkout of commit 83bdeed with its environment.
# All texts are invented. tests/test_migration.py reads the archive.
set -e
export DIALOGUE_CUBE_CACHE=$PWD/cache
mkdir own
cat > own/faq.csv <<'FAQ'
question,answer
How do I reset my password on the blue router?,Hold the small button at the back for ten seconds.
Where can I see the invoice of last month?,All invoices are listed in your account under Billing.
Can I return a lamp that I bought on Monday?,You can return it within thirty days with the receipt.
When does the shop in the old harbour open?,It opens at nine on weekdays and at ten on Saturdays.
Do you deliver garden chairs to the islands?,We deliver to the islands every Thursday by ferry.
Which bulbs fit the tall reading lamp?,Any bulb with a small screw base and up to nine watts.
How long does a repair of the kettle take?,A repair takes about two weeks once the kettle is here.
Is the wooden ladder safe on wet ground?,Please use it on dry and even ground only.
Can I change the colour of my order?,You can change it until the parcel leaves our house.
Who answers questions about a damaged table?,Our workshop answers them by telephone before noon.
What does the repair of a garden chair cost?,It costs twelve coins unless the wood is broken.
May I pick up the parcel with my neighbour's card?,Please bring your own card and the number of the parcel.
FAQ
cat > own/chat.jsonl <<'CHAT'
{"id": "a", "messages": [{"role": "user", "content": "Is there a quiet tea house near the old harbour?"}, {"role": "assistant", "content": "The Silver Pot is quiet and open until eight."}, {"role": "user", "content": "Can I book a table there for three people?"}, {"role": "assistant", "content": "Yes, which day and at what time shall it be?"}]}
{"id": "b", "messages": [{"role": "user", "content": "Which bus goes from the mill to the station?"}, {"role": "assistant", "content": "Line seven goes there every twenty minutes."}, {"role": "user", "content": "And when does the last one leave tonight?"}, {"role": "assistant", "content": "The last bus leaves at eleven from the mill."}]}
CHAT
PYTHONPATH=tests python -c "
from pathlib import Path
from tiny_teacher import save_tiny_distilbert
save_tiny_distilbert(Path('tiny'), 8)"
dialogue-cube build --own own --language en --out dataset
dialogue-cube database --data dataset --out corpus.duckdb
python -m cube_model.train --data dataset --teacher tiny --output core --context-turns 1 --epochs 1
dialogue-cube ask --model core --data dataset --index index "Where is the invoice?"
printf 'out: run\nown: {path: own, language: en}\n' > pipeline.yaml
dialogue-cube pipeline --config pipeline.yaml
# .resumed.training is the working folder of a core's training that was killed, without its pickled files
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=2026-11-23 -cJf 0.1.0.tar.xz \
    cache core corpus.duckdb dataset index run/pipeline tiny .resumed.training
