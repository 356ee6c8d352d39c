import{d as a,e as b}from"./chunk-OOFAKQEV.js";import"./chunk-LZATZYAM.js";import"./chunk-NXJYK3RY.js";export{b as picture,a as zoomTools};
