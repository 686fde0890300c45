// How the site's search orders what it finds. Sphinx puts this file into its own script of the search.
var Scorer = {
  // A page that teaches comes before a definition in the glossary (an entry of the index, of which there are scores
  // up to 100) and before a list of arguments, unless what is searched for is the name of a function or class.
  score: ([page, , , , score, , kind]) => {
    const first = { tutorials: 12, howto: 8, explanation: 6 };
    return (kind === "index" ? Math.min(score, 16) : score) + (first[page.split("/")[0]] ?? 0);
  },
  objNameMatch: 18,
  objPartialMatch: 2,
  objPrio: { 0: 0, 1: 5, 2: -5 }, // of modules; of classes and functions; of members
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
