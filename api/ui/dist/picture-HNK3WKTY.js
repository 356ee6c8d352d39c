import{d as a,e as b}from"./chunk-KMQGHN53.js";import"./chunk-7YFDJEGH.js";import"./chunk-RARLRHHE.js";export{b as picture,a as zoomTools};
