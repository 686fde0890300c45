// How the site's search orders what it finds. Sphinx puts this file into its own script of the search.
var Scorer = {
  // A page to read comes before a list of arguments, unless what is searched for is the name of a function or class.
  score: ([page, , , , score]) => {
    const first = { tutorials: 12, howto: 8, explanation: 6 };
    return score + (first[page.split("/")[0]] ?? 0);
  },
  objNameMatch: 18,
  objPartialMatch: 2,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
