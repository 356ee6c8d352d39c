// What the pages do beyond plain forms. Each part looks for its place on the
// page and leaves alone what is not there.
import { again } from "./again";
import { app } from "./app";
import { idle } from "./idle";
import { link } from "./link";
import { keepGoing } from "./queue";
import { send } from "./send";
import { ticks } from "./ticks";
import { viewer } from "./viewer";
import { waiting } from "./waiting";
import { remember } from "./who";
import { copy, focusProblem } from "./small";

focusProblem();
idle();
copy();
viewer();
remember();
send();
waiting();
link();
app();
keepGoing();
ticks();
again();
