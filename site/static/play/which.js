// "Which one did a person write?": pairs, answers, and who fooled the eye.
"use strict";

const which = (() => {
  const ROUND = 10;
  const KEY = "which-one-did-a-person-write";
  const SHOWN = 4; // samples of each digit that a model has
  const REAL = 20; // test digits of each

  /**
   * @typedef {{name: string, lesson: number, asked: boolean,
   *            digits: boolean}} Model
   * @typedef {{model: Model, drawn: number, real: number,
   *            side: number}} Pair
   *   Number of the model's sample and of the real digit, and where the real
   *   one is: 0 for left, 1 for right.
   * @typedef {Object<string, [number, number]>} Tally
   *   Of each model, how often it was shown and how often it was taken for a
   *   person.
   */

  /**
   * A pair of a model; the real digit is of the same class, or of any if the
   * model cannot be asked for one.
   * @param {Model} model
   * @param {() => number} random
   * @returns {Pair}
   */
  function makePair(model, random) {
    const below = (n) => Math.floor(random() * n);
    const drawn = below(10 * SHOWN);
    const digit = model.asked ? Math.floor(drawn / SHOWN) : below(10);
    const real = digit * REAL + below(REAL);
    return { model, drawn, real, side: below(2) };
  }

  /**
   * Pairs without end: each model once, in random order, then again.
   * @param {Model[]} models
   * @param {() => number} random
   * @returns {Generator<Pair>}
   */
  function* pairs(models, random) {
    for (;;) {
      for (const model of play.shuffled(models, random)) {
        yield makePair(model, random);
      }
    }
  }

  /**
   * The tally after one more answer; the old one stays as it is.
   * @param {Tally} tally
   * @param {string} name
   * @param {boolean} fooled
   * @returns {Tally}
   */
  function count(tally, name, fooled) {
    const [shown, taken] = tally[name] ?? [0, 0];
    return { ...tally, [name]: [shown + 1, taken + (fooled ? 1 : 0)] };
  }

  /**
   * Name, times shown, times taken for a person: the largest share first.
   * @param {Tally} tally
   * @returns {[string, number, number][]}
   */
  function ranking(tally) {
    return Object.entries(tally)
      .map(([name, [shown, taken]]) => [name, shown, taken])
      .sort((a, b) => b[2] / b[1] - a[2] / a[1] || b[1] - a[1]);
  }

  /** @returns {Object<string, Tally>} What this browser has kept. */
  function readTallies() {
    try {
      return JSON.parse(localStorage.getItem(KEY) ?? "{}");
    } catch {
      return {}; // the browser keeps nothing, or something else was there
    }
  }

  /** @param {Object<string, Tally>} tallies */
  function keepTallies(tallies) {
    try {
      localStorage.setItem(KEY, JSON.stringify(tallies));
    } catch {
      // the browser keeps nothing: they live as long as the page
    }
  }

  /** Make the page work. */
  async function start() {
    const page = document.getElementById("which");
    const find = (name) => page.querySelector(`.${name}`);
    const choices = [...page.querySelectorAll(".choice")];
    const tone = page.querySelector("input");
    const arrays = await play.unpack(WHICH_DATA);
    const random = play.makeRandom(play.chooseSeed());
    const isDigits = (model) => model.digits;
    const specks = WHICH_DATA.models.filter((model) => !isDigits(model));
    const deck = pairs(WHICH_DATA.models.filter(isDigits), random);
    const index = new Map(WHICH_DATA.models.map((m, i) => [m, i]));
    let tallies = readTallies();
    let pair, answered, number, fooled;

    const mode = () => (tone.checked ? "drawn" : "matched");
    const tally = () => tallies[mode()] ?? {};

    function showPair() {
      const i = 40 * index.get(pair.model) + pair.drawn;
      const own = play.row(arrays[mode()].values, i, 784);
      const real = play.row(arrays.real.values, pair.real, 784);
      choices.forEach((choice, side) => {
        const canvas = choice.querySelector("canvas");
        play.paint(canvas, side === pair.side ? real : own);
      });
    }

    function next() {
      answered = false;
      const warmUp = number === 0;
      const speck = specks[Math.floor(random() * specks.length)];
      pair = warmUp ? makePair(speck, random) : deck.next().value;
      showPair();
      choices.forEach((choice, side) => {
        choice.className = "choice";
        choice.disabled = false;
        choice.lastElementChild.textContent = ["left", "right"][side];
      });
      find("turn").textContent = warmUp
        ? "A first pair, to warm up; it does not count."
        : `Pair ${number} of ${ROUND}.`;
      find("answer").textContent = "";
      find("next").hidden = true;
    }

    function answer(side) {
      if (answered) return;
      answered = true;
      const wrong = side !== pair.side;
      const { name, lesson } = pair.model;
      choices.forEach((choice, s) => {
        const isReal = s === pair.side;
        choice.disabled = true;
        choice.classList.toggle("real", isReal);
        choice.classList.toggle("chosen", s === side);
        choice.lastElementChild.textContent = isReal ? "a person" : name;
      });
      if (number > 0) {
        tallies = { ...tallies, [mode()]: count(tally(), name, wrong) };
        keepTallies(tallies);
        fooled += wrong ? 1 : 0;
      }
      const where = ["left", "right"][pair.side];
      find("answer").textContent =
        `${wrong ? "Fooled" : "Correct"}. The person's is on the ${where}; ` +
        `the other is by “${name}” (lesson ${lesson}).`;
      find("next").textContent = number === ROUND ? "See the count" : "Next";
      find("next").hidden = false;
      find("next").focus({ preventScroll: true });
    }

    function showCount() {
      const rows = ranking(tally()).map(([name, shown, taken]) => {
        const line = play.element("tr");
        line.append(
          play.element("th", name, { scope: "row" }),
          play.element("td", shown),
          play.element("td", taken),
          play.element("td", `${Math.round((100 * taken) / shown)} %`),
        );
        return line;
      });
      page.querySelector("tbody").replaceChildren(...rows);
      find("count").hidden = rows.length === 0;
    }

    function begin() {
      number = Object.keys(tally()).length ? 1 : 0;
      fooled = 0;
      find("game").hidden = false;
      find("count").hidden = true;
      next();
    }

    function end() {
      find("game").hidden = true;
      showCount();
      find("score").textContent =
        `You took a model for a person in ${fooled} of ${ROUND} pairs. ` +
        `Chance alone: ${ROUND / 2}.`;
      find("again").focus();
    }

    choices.forEach((choice, side) => {
      choice.addEventListener("click", () => answer(side));
    });
    find("next").addEventListener("click", () => {
      number += 1;
      if (number > ROUND) return end();
      next();
      choices[0].focus({ preventScroll: true });
    });
    find("again").addEventListener("click", begin);
    find("forget").addEventListener("click", () => {
      tallies = {};
      keepTallies(tallies);
      begin();
    });
    tone.addEventListener("change", begin);
    document.addEventListener("keydown", (event) => {
      const side = ["ArrowLeft", "ArrowRight"].indexOf(event.key);
      const typing = event.target.closest?.("[type=search], textarea, dialog");
      const plain = !event.altKey && !event.ctrlKey && !event.metaKey;
      const seen = find("pair").getBoundingClientRect().bottom > 0;
      if (side < 0 || typing || !plain || !seen) return;
      event.preventDefault();
      answer(side);
    });
    play.open(page);
    begin();
    page.dataset.ready = "yes";
  }

  return { count, makePair, pairs, ranking, start };
})();

which.start();
