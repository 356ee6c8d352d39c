import{d as a,e as b}from"./chunk-CHUL3L57.js";import"./chunk-GUQFUTZB.js";import"./chunk-3VIYANPD.js";import"./chunk-SQE76S5B.js";export{b as picture,a as zoomTools};
