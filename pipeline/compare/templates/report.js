// A click on ▶ plays the track in the list below; without scripts the link jumps to its player.
const links = [...document.querySelectorAll("a.play")];

function show() {
  for (const link of links) {
    const playing = !playerOf(link).paused;
    link.classList.toggle("playing", playing);
    link.textContent = playing ? "❚❚" : "▶";
  }
}

function playerOf(link) {
  return document.querySelector(link.getAttribute("href") + " audio");
}

for (const link of links) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const player = playerOf(link);
    if (player.paused) player.play();
    else player.pause();
  });
}
for (const player of document.querySelectorAll("audio")) {
  player.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
    show();
  });
  for (const change of ["pause", "ended"]) player.addEventListener(change, show);
}
