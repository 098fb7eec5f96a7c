"""Synthetic speech with exact phoneme times: python -m models.training.speak_texts --tool FILE --out DIR

The tool speaks a text with espeak-ng (TEXT OUT.wav OUT.json --voice V --rate R --pitch P) and writes a list of {"ipa",
"start_s", "end_s"}. The sound only serves training; nothing of espeak-ng is needed afterwards.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4", "+f5")
SPOKEN = 4
"""Times that each text is spoken, each time by another voice."""
TEXTS = {
    "en-us": (
        "Bob moves five blue sheep over the bumpy bridge before evening.",
        "Why would anybody want to swim with whales in the middle of winter?",
        "The phone rang twice, but my mother was far too busy to answer it.",
        "Peter packed a pile of paper maps and a pair of warm gloves.",
        "Have you ever heard of a village where every roof is made of leaves?",
        "Maybe we should leave the office at half past five.",
        "Father found a very valuable vase behind the sofa.",
        "Good morning, everybody. Thank you for coming on such a wet day.",
        "She opened her mouth wide, saw the sour soup, and shook her head.",
        "We were a mile away when the thunder began to rumble.",
        "Just judge the joke by how much the children laugh.",
        "Oh no, I am so sorry, I thought you knew about the boat.",
    ),
    "de": (
        "Mein Bruder möchte am Freitag vier Pfund Äpfel vom Markt mitbringen.",
        "Wir wohnen im blauen Haus neben dem Bahnhof, gleich über der Bäckerei.",
        "Übermorgen fahren wir früh mit dem Boot auf die Insel.",
        "Pass bitte auf, die Suppe ist noch ziemlich heiß.",
        "Warum weint das Baby, und wo bleibt bloß der Papa?",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    ),
    "es": (
        "Mi amigo Pablo vive en un pueblo pequeño cerca de la montaña.",
        "Buenos días a todos, muchas gracias por venir a vernos.",
        "El perro bebe agua fresca debajo del árbol amarillo.",
        "Me parece que va a llover bastante por la tarde.",
    ),
    "fr": (
        "Bonjour à tous, je vous remercie beaucoup d'être venus.",
        "Ma femme préfère boire un verre d'eau fraîche au bord de la rivière.",
        "Vous pouvez ouvrir la fenêtre, il fait vraiment beau aujourd'hui.",
        "Il faut que nous partions bientôt pour ne pas manquer le bateau.",
    ),
    "it": (
        "Buongiorno a tutti, vi ringrazio molto di essere venuti.",
        "Mio fratello vuole imparare a fabbricare un mobile per la camera.",
        "Questa sera preferiamo bere un bicchiere di vino e parlare un po'.",
        "Il bambino piccolo gioca volentieri con la palla verde.",
    ),
}


def main() -> None:
    """Speak every text with several voices, at several rates and pitches; what exists is kept."""
    parser = argparse.ArgumentParser(description="Make synthetic speech with phoneme times.")
    parser.add_argument("--tool", type=Path, required=True, help="the program that speaks a text with espeak-ng")
    parser.add_argument("--out", type=Path, required=True, help="folder for <name>.wav and <name>.json")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for language, texts in TEXTS.items():
        for number, text in enumerate(texts):
            for variant in rng.choice(VARIANTS, SPOKEN, replace=False):
                rate, pitch = int(rng.integers(120, 200)), int(rng.integers(25, 75))
                stem = options.out / f"{language}_{number}{str(variant).replace('+', '_')}"
                if stem.with_suffix(".json").exists():
                    continue
                how = ["--voice", f"{language}{variant}", "--rate", str(rate), "--pitch", str(pitch)]
                files = [str(stem.with_suffix(ending)) for ending in (".wav", ".json")]
                subprocess.run([sys.executable, str(options.tool), text, *files, *how], check=True)


if __name__ == "__main__":
    main()
