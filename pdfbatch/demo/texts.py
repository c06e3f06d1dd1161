"""The texts of the demo's documents; a bar marks where a word may be broken.

Every sentence is written for this project; its people, places and figures are invented.
"""

from __future__ import annotations

from .typeset import Bullets, Table, Text, heading

PAPER_TITLE = "Reading Forty Years of Harbour Tide Gauges"
PAPER_AUTHORS = "Zoë Håkansson, René Muñoz and Françoise Düring"
PAPER_HEADER = "Håkansson et al. · Forty Years of Tide Gauges"

PAPER = (
    Text("Abstract", font="tibo", before=0),
    Text(
        "Small harbours kept their tide records on paper until the late nineties. We copied 41,200 of these "
        "sheets from eleven ports and asked how far they agree with the elec|tron|ic gauges that came after "
        "them. The old pens were better than their fame: after one correction for clock drift the median "
        "difference is 14 millimetres. What spoils a record is not the instrument but the office, where "
        "sheets were misfiled, trimmed or wetted.",
        font="tiit",
    ),
    heading("1 Introduction"),
    Text(
        "A tide gauge is a humble machine. A float rises and falls in a well, a wire turns a wheel, and a pen "
        "draws what the sea does. For most of the last century the drawing was the whole record. Somebody "
        "changed the sheet on Monday morning, wrote the date in the corner and put the old one in a drawer."
    ),
    Text(
        "Those drawers are now the longest series we have for many small ports. They matter because slow "
        "change can only be seen against a long past. A rise of three millimetres a year is hidden by a "
        "single stormy winter, but it stands out plainly once four decades lie side by side. Before anybody "
        "may use the sheets, however, someone has to say how wrong they are."
    ),
    Text(
        "This paper does so for eleven harbours between Malmö and La Coruña. We describe how the sheets were "
        "copied, what errors we found and how large they are. We give all our numbers per station, since an "
        "average over stations hides exactly the drawer that was flooded."
    ),
    heading("2 Material"),
    Text(
        "Each station sent its sheets in boxes. We photographed them under even light and traced the pen line "
        "by hand, because early trials showed that au|to|mat|ic tracing lost the line wherever two days "
        "crossed. Table 1 lists the stations with most sheets. The remaining seven hold fewer than 2,000 "
        "sheets each."
    ),
    Text("Table 1: Stations with the most sheets and their error.", font="tiit", size=9.0),
    Table(
        (
            ("Station", "Sheets", "Years", "Error (mm)"),
            ("Malmö", "9,804", "41", "12"),
            ("Brügge", "8,377", "38", "15"),
            ("Saint-Malo", "7,950", "36", "14"),
            ("La Coruña", "6,112", "29", "21"),
        ),
        (1.5, 1, 0.8, 1.2),
    ),
    Text(
        "Water had reached the lowest box at two stations. We dried those sheets between felt and left out "
        "every hour whose ink had run. In all we dropped 3.1 percent of the hours, most of them from one "
        "cellar in Brügge.",
        before=8.0,
    ),
    heading("3 Method"),
    Text(
        "The clock of a paper gauge is a spring. It runs fast in summer and slow in winter, and the keeper "
        "sets it right when the sheet is changed. We therefore model the error of time within a week as a "
        "straight line that begins at zero and ends at what the keeper wrote. Three rules decide whether a "
        "week is kept:"
    ),
    Bullets(
        (
            "the keeper's note of the time must be legible on both ends of the sheet;",
            "the correction must be smaller than forty minutes, since larger ones point to a stopped clock;",
            "high water must fall within an hour of the predicted tide at least ten times in the week.",
        )
    ),
    Text(
        "Heights need no model. The wheel has a fixed cir|cum|fer|ence and the sheet a printed grid, so that "
        "a height is read off directly. Paper shrinks, though, and we scale each sheet by the distance of its "
        "outermost grid lines. The scale differs from one by less than half a percent nearly everywhere."
    ),
    heading("4 Results"),
    Text(
        "For the eighteen months in which both in|stru|ments stood in the same well we compared hourly "
        "values. The median absolute difference is 14 millimetres, and nine hours in ten differ by less than "
        "35. The elec|tron|ic gauge is not the truth either: it was out of order for 212 hours in which the "
        "pen kept drawing."
    ),
    Text(
        "Errors do not grow with age. Sheets from the first decade are as good as those from the last, with "
        "one exception. In the spring of 1978 the keeper of Saint-Malo used a sheet of the wrong size for six "
        "weeks, and every height of that spring is too small by one part in twenty. The mistake is easily "
        "seen once it is looked for, and easily mended."
    ),
    Text(
        "Losses are another matter. Of the weeks that should exist, one in nine is missing, and what is "
        "missing is not missing at random. Storms are under|rep|re|sent|ed: after a flood the office had "
        "other cares than paper. Anybody who counts extreme levels from these sheets will count too few. We "
        "suggest to take the newspapers of the town as a second witness."
    ),
    heading("5 Discussion"),
    Text(
        "We came to measure in|stru|ments and ended by measuring habits. A careful keeper with a poor clock "
        "left a better record than a careless one with a good clock. This is unsurprising to anyone who has "
        "kept a notebook, but it has a con|se|quence: the quality of a station changes on the day on which "
        "its keeper changes, not on the day on which its gauge is replaced. Wherever names are known, we "
        "advise to split the series by name."
    ),
    Text(
        "Our correction is deliberately plain. A drift that bends within a week would fit a few sheets "
        "better, but the keepers wrote down only two times per sheet and a bend can not be known from two "
        "points. An uncom|pli|cat|ed rule that a reader can check with a ruler seemed worth more than a few "
        "milli|me|tres."
    ),
    Text(
        "Two questions stay open. We do not know how far the wells themselves have sunk, since levelling "
        "notes exist for four stations only. And we could not find out who trimmed the margins of the sheets "
        "from La Coruña, or why."
    ),
    heading("6 Conclusion"),
    Text(
        "Paper tide records of small harbours can be used for the study of slow change, provided that the "
        "clock is corrected and that missing storms are not mistaken for calm weather. The traced values and "
        "the photographs of all sheets are kept at the port museum in Malmö, where they may be seen on "
        "Mondays, when the sheet used to be changed."
    ),
    heading("Acknowledgements"),
    Text(
        "We thank the keepers, of whom thirty-one are known to us by name, and Señora Peña, who dried the "
        "sheets of the flooded cellar one by one on her own kitchen table."
    ),
)

LETTER_TITLE = "Minutes of the Garden Committee"
LETTER = (
    Text("Meeting of 14 March 1987, village hall, half past seven in the evening.", size=12.0),
    Text(
        "Present: Mrs Abbott (chair), Mr Lindqvist, Mr Okafor, Miss Tremaine, and four members of the public.",
        size=12.0,
    ),
    heading("1. The old orchard"),
    Text(
        "Mr Okafor reported that seven of the twenty-two apple trees had been lost in the storm of January. "
        "The council will pay for the removal of the trunks but not for new trees. It was agreed to plant six "
        "pears and a quince in autumn, and to ask the school whether the older children would like to help.",
        size=12.0,
    ),
    heading("2. Water"),
    Text(
        "The pump delivers forty litres a minute, which is enough for the lower beds only. Miss Tremaine has "
        "two offers for a larger one. The committee preferred the cheaper offer, at 318 pounds, provided that "
        "the firm lays the pipe as well.",
        size=12.0,
    ),
    heading("3. Any other business"),
    Text(
        "A visitor asked why the gate is locked on Sundays. The chair explained that the key is with the "
        "baker, and promised to put up a notice that says so. The next meeting takes place on the second "
        "Tuesday in April.",
        size=12.0,
    ),
    Text("The meeting closed at ten minutes to nine.", size=12.0, before=16),
)

INVENTORY_TITLE = "Inventory of the Lighthouse Store"
INVENTORY = (
    Text("Counted on the first of October by the assistant keeper. Everything is on the ground floor.", size=12.0),
    Bullets(
        (
            "Lamp oil, eighteen barrels, of which two are leaking and should be used first.",
            "Rope, four coils of sixty metres, dry and without rot.",
            "Window panes, eleven large and thirty small, packed in straw.",
            "White paint, nine tins, enough for the seaward side but not for the tower.",
        )
    ),
    Text(
        "The winch was greased in September. Its brake still slips in wet weather, so that nobody should "
        "stand under the load. A new brake shoe has been ordered from the yard and is expected with the "
        "supply boat in November.",
        size=12.0,
    ),
    Text(
        "Coal will last until the end of January if the winter is mild. The cellar door does not close since "
        "the last spring tide and has been fastened with wire for the time being.",
        size=12.0,
    ),
)

REPORT_TITLE = "Annual Report of the Ferry Company"
REPORT_FIRST = (
    Text(
        "The company carried 184,260 passengers, four percent more than in the year before. The increase is "
        "owed to the new early boat, which leaves the island at ten minutes past six and is used by those who "
        "work on the mainland."
    ),
    Text(
        "Nineteen crossings were cancelled because of wind and three because of fog. No passenger was hurt. "
        "One bicycle was lost overboard and has been paid for."
    ),
)
REPORT_LAST = (
    heading("Outlook"),
    Text(
        "Both boats will be docked in February, one after the other, so that a reduced timetable can be kept. "
        "The board will decide in June whether the larger boat receives a new engine or is replaced."
    ),
    Text("The fares remain as they are. Children under six travel free, and dogs pay as children do."),
)

SECRET = (Text("This page can only be read by those who know the password.", size=12.0),)
