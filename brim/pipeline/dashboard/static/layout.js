// Where the boxes and pipes of a plan go, for a given width. Pure: numbers in, numbers out.
//
// A plan is a tree that ends in its last stage. Boxes stand in columns by their distance from the end, branches in
// lanes; where the columns do not fit beside one another, the same picture is turned: rows from top to bottom.

const WIDE = { box: 148, most: 250, height: 142, gap: 62, lane: 18, end: 84 };
const TALL = { least: 130, most: 520, height: 124, gap: 40, lane: 10, end: 34 };

const STRAIGHT = 16; // of a pipe that bends, at the reader's end

/** `stages` have `inputs`, places of others before them. A last one with `end` is drawn smaller. */
export function layout(stages, width) {
  const columns = levels(stages), lanes = laneOf(stages);
  const depth = Math.max(...columns) + 1, across = Math.max(...lanes) + 1;
  const narrow = stages.some((stage) => stage.end) ? WIDE.end : 0;
  const full = depth - (narrow ? 1 : 0), gaps = WIDE.gap * (depth - 1);
  const needed = full * WIDE.box + gaps + narrow;
  if (needed <= width) {
    const box = Math.min(WIDE.most, (width - gaps - narrow) / full);
    return wide(stages, columns, lanes, across, box);
  }
  return tall(stages, columns, lanes, depth, across, width);
}

function wide(stages, columns, lanes, across, box) {
  const boxes = stages.map((stage, i) => ({
    x: columns[i] * (box + WIDE.gap), y: lanes[i] * (WIDE.height + WIDE.lane), width: stage.end ? WIDE.end : box, height: WIDE.height,
  }));
  const pipes = pipesOf(stages, boxes, (from, to) => {
    const a = { x: from.x + from.width, y: from.y + from.height / 2 }, b = { x: to.x, y: to.y + to.height / 2 };
    const middle = (a.x + b.x) / 2, end = a.y === b.y ? b.x : b.x - STRAIGHT;
    return { path: `M${r(b.x)} ${r(b.y)}H${r(end)}C${r(middle)} ${r(b.y)} ${r(middle)} ${r(a.y)} ${r(a.x)} ${r(a.y)}`, x: middle, y: (a.y + b.y) / 2 };
  });
  return { turned: false, width: right(boxes), height: across * WIDE.height + (across - 1) * WIDE.lane, boxes, pipes };
}

function tall(stages, columns, lanes, depth, across, width) {
  const box = Math.min(TALL.most, Math.max(TALL.least, (width - TALL.lane * (across - 1)) / across));
  const boxes = stages.map((stage, i) => ({
    x: lanes[i] * (box + TALL.lane), y: columns[i] * (TALL.height + TALL.gap), width: box, height: stage.end ? TALL.end : TALL.height,
  }));
  const pipes = pipesOf(stages, boxes, (from, to) => {
    const a = { x: from.x + from.width / 2, y: from.y + from.height }, b = { x: to.x + to.width / 2, y: to.y };
    const middle = (a.y + b.y) / 2, end = a.x === b.x ? b.y : b.y - STRAIGHT / 2;
    return { path: `M${r(b.x)} ${r(b.y)}V${r(end)}C${r(b.x)} ${r(middle)} ${r(a.x)} ${r(middle)} ${r(a.x)} ${r(a.y)}`, x: (a.x + b.x) / 2, y: middle };
  });
  return { turned: true, width: right(boxes), height: Math.max(...boxes.map((box) => box.y + box.height)), boxes, pipes };
}

/** Pipes are drawn from the reader back to the writer, so that what lies in a queue lies at the reader's end. */
function pipesOf(stages, boxes, between) {
  return stages.flatMap((stage, to) => stage.inputs.map((from) => ({ from, to, ...between(boxes[from], boxes[to]) })));
}

/** The column of each stage: as far right as what reads it allows. */
function levels(stages) {
  const fromEnd = new Array(stages.length).fill(0);
  for (let i = stages.length - 1; i >= 0; i -= 1) for (const input of stages[i].inputs) fromEnd[input] = fromEnd[i] + 1;
  const most = Math.max(...fromEnd);
  return fromEnd.map((distance) => most - distance);
}

/** The lane of each stage: one for each source, and the middle of its inputs' for what reads several. */
function laneOf(stages) {
  const lanes = [];
  let next = 0;
  for (const stage of stages) {
    lanes.push(stage.inputs.length ? stage.inputs.reduce((sum, input) => sum + lanes[input], 0) / stage.inputs.length : next++);
  }
  return lanes;
}

const right = (boxes) => Math.max(...boxes.map((box) => box.x + box.width));
const r = (value) => Math.round(value * 10) / 10;
