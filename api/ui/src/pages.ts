// What the pages do beyond plain forms. Each part looks for its place on the
// page and leaves alone what is not there.
import { again } from "./again";
import { app } from "./app";
import { idle } from "./idle";
import { link } from "./link";
import { passkeys } from "./passkey";
import { invited } from "./invited";
import { keepGoing } from "./queue";
import { push } from "./push";
import { send } from "./send";
import { ticket } from "./ticket";
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
passkeys();
send();
waiting();
link();
invited();
ticket();
push();
app();
keepGoing();
ticks();
again();
