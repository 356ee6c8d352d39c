import{d as a,e as b}from"./chunk-QXCQ3Z6D.js";import"./chunk-LZATZYAM.js";import"./chunk-NXJYK3RY.js";export{b as picture,a as zoomTools};
