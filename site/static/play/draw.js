// "Draw a digit": the canvas, and what the models make of it.
"use strict";

const draw = (() => {
  const SIZE = 280; // side of the canvas, ten for a pixel of MNIST
  const PEN = 25; // of a stroke as wide as MNIST's, if the digit fills most
  const NEAREST = 5;
  const DRAWS = 4;
  const LESSONS = [7, 8];
  const DIGITS = [...Array(10).keys()];
  const BARS = 40; // of a histogram

  /**
   * A share as whole per cent; not 100 % unless nothing else is left.
   * @param {number} share
   * @returns {string}
   */
  function percent(share) {
    if (share > 0.995 && share < 0.99995) return "> 99 %";
    return `${Math.round(100 * share)} %`;
  }

  /**
   * Where a log-density lies among those of test digits, in words.
   * @param {number} below
   *   Share of test digits that are less likely.
   * @returns {string}
   */
  function place(below) {
    if (below === 0) return "less likely than any test digit";
    if (below === 1) return "more likely than any test digit";
    const n = Math.round(100 * Math.max(below, 1 - below));
    const those = n === 100 ? "nearly all" : `${n} of 100`;
    return `${below < 0.5 ? "less" : "more"} likely than ${those} test digits`;
  }

  /**
   * Counts of equally probable quantiles in equal bins, and the ends.
   * @param {Float32Array} quantiles
   * @returns {{counts: number[], low: number, high: number}}
   */
  function histogram(quantiles) {
    const low = quantiles[Math.round(0.005 * quantiles.length)];
    const high = quantiles[quantiles.length - 1];
    const counts = Array(BARS).fill(0);
    for (const q of quantiles) {
      const bin = Math.floor(((q - low) / (high - low)) * BARS);
      if (bin >= 0) counts[Math.min(bin, BARS - 1)] += 1;
    }
    return { counts, low, high };
  }

  /**
   * A picture of test digits' log-densities, with a mark for one.
   * @param {ReturnType<typeof histogram>} bars
   * @param {number} value
   * @returns {string}
   */
  function histogramSvg({ counts, low, high }, value) {
    const most = Math.max(...counts);
    const step = 240 / BARS;
    const rects = counts.map((n, i) => {
      const h = (52 * n) / most;
      return `<rect x="${i * step}" y="${58 - h}" width="${step - 1}" height="${h}"/>`;
    });
    const share = (value - low) / (high - low);
    const x = Math.min(Math.max(240 * share, 3), 237);
    const y = 58;
    const tip = share < 0 ? "l-9 -5 v10 z" : "l-5 9 h10 z";
    return (
      `<svg viewBox="-8 0 256 70" aria-hidden="true">${rects.join("")}` +
      `<path d="M-8 58 h256"/><path class="needle" d="M${x} 4 V${y}"/>` +
      `<path class="needle tip" d="M${share < 0 ? x - 2 : x} ${y} ${tip}"/></svg>`
    );
  }

  /** Make the page work. */
  async function start() {
    const page = document.getElementById("draw");
    const find = (name) => page.querySelector(`.${name}`);
    const arrays = await play.unpack(DRAW_DATA);
    const both = models.makeModels(arrays);
    const random = play.makeRandom(play.chooseSeed());
    const nQuantiles = arrays.quantiles.shape[1];
    const quantiles = LESSONS.map((_, i) =>
      play.row(arrays.quantiles.values, i, nQuantiles),
    );
    const bars = quantiles.map(histogram);
    const neighbours = arrays.neighbours.values;
    const eachNeighbour = arrays.neighbours.shape[0] / 10;
    const eachSample = arrays.samples.shape[0] / 10;
    const pad = find("pad");
    const pen = pad.getContext("2d", { willReadFrequently: true });
    const [choice, temperature, noise] = ["class", "temperature", "noise"].map(
      (name) => page.querySelector(`[name=${name}]`),
    );
    const shownSample = Array(10).fill(-1); // of each digit
    let levels = null; // of the digit, or null if there is none
    let isSample = false;
    let last = null; // where the pen was
    let best = 0; // the most probable class by lesson 07
    let z = freshNormals();

    function freshNormals() {
      const { rank } = both.ppca[0];
      return Array.from({ length: DRAWS }, () =>
        play.normals(rank + 392, random),
      );
    }

    function makeRows() {
      const rows = DIGITS.map((digit) => {
        const line = play.element("tr");
        line.append(play.element("th", digit, { scope: "row" }));
        LESSONS.forEach(() => {
          const cell = play.element("td");
          cell.append(
            play.element("span", "", { class: "bar" }),
            play.element("span", "", { class: "share" }),
          );
          line.append(cell);
        });
        return line;
      });
      page.querySelector("tbody").replaceChildren(...rows);
    }

    function makePictures(parent, captions) {
      const figures = captions.map((caption) => {
        const figure = play.element("figure");
        figure.append(
          play.element("canvas", "", { class: "digit", "aria-hidden": "true" }),
          play.element("figcaption", caption),
        );
        return figure;
      });
      parent.replaceChildren(...figures);
    }

    function showPosterior(joint) {
      const shares = joint.map(models.posterior);
      [...page.querySelectorAll("tbody tr")].forEach((line, digit) => {
        [...line.querySelectorAll("td")].forEach((cell, i) => {
          const share = shares[i][digit];
          cell.firstChild.style.setProperty("--share", String(share));
          cell.lastChild.textContent = percent(share);
          const most = share === Math.max(...shares[i]);
          cell.classList.toggle("most", most);
        });
      });
      const read = shares.map((s) => s.indexOf(Math.max(...s)));
      best = read[0];
      const words = read.map((c, i) => `${c} (${percent(shares[i][c])})`);
      return `Lesson 7 reads ${words[0]}, lesson 8 reads ${words[1]}.`;
    }

    function showDensity(joint) {
      joint.forEach((a, i) => {
        const logP = models.logSumExp(a);
        const words = place(models.shareBelow(quantiles[i], logP));
        const box = page.querySelectorAll(".density")[i];
        box.querySelector(".histogram").innerHTML = histogramSvg(bars[i], logP);
        const sign = logP < 0 ? "−" : "";
        const number = `${sign}${Math.abs(logP).toFixed(0)}`;
        box.querySelector(".words").textContent =
          `log p = ${number} nats: ${words}.`;
      });
    }

    function showNearest() {
      const found = models.nearest(neighbours, levels, NEAREST);
      const labels = found.map((i) => Math.floor(i / eachNeighbour));
      makePictures(find("nearest"), labels);
      find("nearest")
        .querySelectorAll("canvas")
        .forEach((canvas, i) =>
          play.paint(canvas, play.row(neighbours, found[i], 784)),
        );
    }

    function showHalf() {
      if (!levels) return;
      const c = choice.value === "" ? best : Number(choice.value);
      const x = models.toRow(levels);
      const half = models.complete(both.ppca[c], x);
      const t = Number(temperature.value);
      const lower = [half.mean];
      for (const some of z) {
        lower.push(models.drawHalf(half, some, t, noise.checked));
      }
      find("half")
        .querySelectorAll("canvas")
        .forEach((canvas, i) => {
          const whole = levels.slice();
          whole.set(models.toLevels(lower[i]), 392);
          play.paint(canvas, whole);
        });
      find("as").textContent = `as a ${c}`;
      temperature.nextElementSibling.textContent = t.toFixed(1);
    }

    /** @param {boolean} speak */
    function showAll(speak) {
      page.classList.toggle("empty", !levels);
      play.paint(find("seen"), levels ?? new Uint8Array(784));
      if (!levels) {
        find("reading").textContent = "Nothing is drawn.";
        return;
      }
      const joint = models.logJoint(both, models.toRow(levels));
      const words = showPosterior(joint);
      showDensity(joint);
      showNearest();
      showHalf();
      if (speak) find("reading").textContent = words;
    }

    function clear() {
      pen.clearRect(0, 0, SIZE, SIZE);
      [levels, isSample, last] = [null, false, null];
    }

    function showSample(digit) {
      clear();
      shownSample[digit] = (shownSample[digit] + 1) % eachSample;
      const i = digit * eachSample + shownSample[digit];
      levels = play.row(arrays.samples.values, i, 784);
      isSample = true;
      const small = document.createElement("canvas");
      small.width = small.height = 28;
      const image = new ImageData(28, 28);
      levels.forEach((level, p) => (image.data[4 * p + 3] = level));
      small.getContext("2d").putImageData(image, 0, 0);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(small, 0, 0, SIZE, SIZE);
      showAll(true);
    }

    function position(event) {
      const box = pad.getBoundingClientRect();
      const scale = SIZE / box.width;
      return [
        (event.clientX - box.left) * scale,
        (event.clientY - box.top) * scale,
      ];
    }

    function stroke(event) {
      const some = event.getCoalescedEvents?.() ?? [];
      for (const one of some.length ? some : [event]) {
        const here = position(one);
        pen.beginPath();
        if (last) {
          pen.moveTo(...last);
          pen.lineTo(...here);
          pen.stroke();
        } else {
          pen.arc(...here, PEN / 2, 0, 2 * Math.PI); // a dot
          pen.fill();
        }
        last = here;
      }
    }

    function readPad() {
      const { data } = pen.getImageData(0, 0, SIZE, SIZE);
      const ink = Uint8Array.from({ length: SIZE * SIZE }, (_, i) => {
        return data[4 * i + 3];
      });
      levels = models.normalise(ink, SIZE);
    }

    let waiting = false; // for the next frame
    function showSoon() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        if (!last) return; // the pen was lifted meanwhile
        readPad();
        showAll(false);
      });
    }

    function lift() {
      if (!last) return;
      last = null;
      readPad();
      showAll(true);
    }

    Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    pad.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      event.preventDefault();
      if (isSample) clear();
      pad.setPointerCapture(event.pointerId);
      stroke(event);
      showSoon();
    });
    pad.addEventListener("pointermove", (event) => {
      if (!last || !event.isPrimary) return;
      stroke(event);
      showSoon();
    });
    pad.addEventListener("pointerup", lift);
    pad.addEventListener("pointercancel", lift);
    find("clear").addEventListener("click", () => {
      clear();
      showAll(true);
    });
    find("again").addEventListener("click", () => {
      z = freshNormals();
      showHalf();
    });
    for (const control of [choice, temperature, noise]) {
      control.addEventListener("input", showHalf);
    }
    DIGITS.forEach((digit) => {
      const button = play.element("button", digit, {
        type: "button",
        "aria-label": `a test digit: ${digit}`,
      });
      button.addEventListener("click", () => showSample(digit));
      find("samples").append(button);
      choice.append(play.element("option", digit, { value: String(digit) }));
    });
    makeRows();
    makePictures(find("half"), [
      "best guess",
      ...Array.from({ length: DRAWS }, (_, i) => `draw ${i + 1}`),
    ]);
    play.open(page);
    showSample(Math.floor(10 * random()));
    page.dataset.ready = "yes";
  }

  return { histogram, percent, place, start };
})();

draw.start();
