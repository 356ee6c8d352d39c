import{d as a,e as b}from"./chunk-MUI7VVWI.js";import"./chunk-3GZUUDVG.js";import"./chunk-YMFTF2O6.js";import"./chunk-SQE76S5B.js";export{b as picture,a as zoomTools};
