// Tells whoever's browser is too old for the pages' own script, which then has not run. Must be understood by any
// browser that knows scripts at all: nothing here is newer than ECMAScript 5.
(function () {
  function tell() {
    if (document.documentElement.getAttribute("data-app") === "running") return;
    var words = document.getElementById("old-browser");
    if (words) words.removeAttribute("hidden");
  }
  // Module scripts have run, or failed, before the page has loaded.
  if (window.addEventListener) window.addEventListener("load", tell, false);
  else if (window.attachEvent) window.attachEvent("onload", tell);
})();
